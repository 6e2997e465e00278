"""What is right about a row, and what a file really is: pure, exhaustive, quick."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lms.accounts.staff import rules
from lms.accounts.staff.limits import Limits, limits
from lms.accounts.staff.rosters import ROSTERS
from lms.core.imports.checking import Chunk, chunks
from lms.core.imports.uploads import safe_file_name
from lms.core.spreadsheets import files, guard
from lms.core.spreadsheets.cells import EXCEL_DAY_ZERO, read_date
from lms.core.spreadsheets.errors import (
    BombFile,
    ColumnsMissing,
    ColumnTwice,
    CorruptFile,
    EmptyFile,
    EncryptedFile,
    MacroFile,
    SheetRefused,
    StrayCells,
    TooManyRows,
    WrongFileType,
)
from lms.core.spreadsheets.tables import NameBook
from tests.accounts.staffing import roster_bytes
from tests.rosters import HEADINGS, id_number, planted_faults, roster, wrong_check_digit

TODAY = date(2026, 11, 21)
POSTS = Path(rules.__file__).parents[1] / "reference" / "posts.csv"


def _context(own_limits: Limits | None = None) -> rules.Context:
    with POSTS.open(encoding="utf8") as file:
        rows = [(row["code"], row["name_zh"], row["name_en"]) for row in csv.DictReader(file)]
    return rules.Context(TODAY, own_limits or limits(), NameBook.of(rows))


def _check(*cells: rules.Cell) -> tuple[rules.Candidate | None, list[rules.Fault]]:
    return rules.check_row(2, dict(zip(rules.COLUMNS, cells, strict=False)), _context())


def test_every_planted_fault_is_named_with_its_column_and_no_other() -> None:
    context = _context()
    for number, planted in enumerate(planted_faults(), start=2):
        cells = dict(zip(rules.COLUMNS, planted.cells, strict=False))
        _candidate, faults = rules.check_row(number, cells, context)
        found = [(fault.row, fault.column, fault.code) for fault in faults]
        assert found == ([(number, planted.column, planted.code)] if planted.code else []), planted


def test_all_faults_of_a_row_are_named_together() -> None:
    _candidate, faults = _check("", wrong_check_digit(id_number(1)), "没有的岗位", "", "1", "x")
    assert [fault.code for fault in faults] == ["name_missing", "id_check_digit", "post_unknown", "phone", "date"]


def test_an_unknown_post_names_the_nearest_one() -> None:
    _candidate, faults = _check("王建军", id_number(1), "叉车驾驶员")
    assert (faults[0].shown, faults[0].hint) == ("叉车驾驶员", "叉车司机")


@given(place=st.integers(0, 17), digit=st.sampled_from("0123456789X"), serial=st.integers(0, 999_999))
def test_one_wrong_character_in_an_id_number_never_passes(place: int, digit: str, serial: int) -> None:
    number = id_number(serial)
    changed = number[:place] + digit + number[place + 1 :]
    fault = rules.id_fault(changed, changed, today=TODAY, limits=limits())
    assert (fault is None) == (changed == number)


@given(st.dates(date(1950, 1, 2), TODAY))
def test_a_date_is_read_however_it_was_typed(day: date) -> None:
    serial = (day - EXCEL_DAY_ZERO).days
    typed: list[rules.Cell] = [
        day, datetime(day.year, day.month, day.day, tzinfo=UTC), day.isoformat(), f"{day.year}/{day.month}/{day.day}",
        f"{day.year}.{day.month}.{day.day}", f"{day.year}年{day.month}月{day.day}日", f"{day:%Y%m%d}", float(serial),
        f"{day.isoformat()} 00:00:00", float(f"{day:%Y%m%d}"),
    ]  # fmt: skip
    assert {read_date(cell) for cell in typed} == {day}


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.dates(), st.datetimes()))
def test_no_cell_breaks_the_check(cell: rules.Cell) -> None:
    candidate, faults = _check(cell, cell, cell, cell, cell, cell)
    assert (candidate is None) == bool(faults)


def test_numbers_kept_by_excel_and_guards_of_other_programs_are_read() -> None:
    number = id_number(3)
    for cell in (f"'{number}", f'="{number}"', f" {number} ", "\u3000" + number):
        candidate, faults = _check("王 建 军", cell, "叉车司机", "设备部", 13900001111.0, None)
        assert not faults
        assert candidate
        assert (candidate.name, candidate.id_number, candidate.phone) == ("王建军", number, "13900001111")


def _chunks(rows: Iterable[Sequence[rules.Cell]], own_limits: Limits | None = None) -> list[Chunk[rules.Candidate]]:
    judge = functools.partial(rules.check_row, context=_context(own_limits))
    return list(chunks(dataclasses.replace(ROSTERS, limits=own_limits or limits()), iter(rows), judge))


def test_columns_may_stand_in_any_order_below_a_title_in_english() -> None:
    rows: list[list[rules.Cell]] = [
        ["某某公司花名册"], [], ["Post", "Remarks", "ID Number", "Full name"], [None, "", None, ""],
        ["叉车司机", "x", id_number(1), "王建军"],
    ]  # fmt: skip
    (chunk,) = _chunks(rows)
    assert [(good.row, good.name, good.post_code) for good in chunk.good] == [(5, "王建军", "forklift_driver")]


def test_a_file_without_the_needed_columns_or_rows_is_refused() -> None:
    with pytest.raises(ColumnsMissing) as missing:
        _chunks([["姓名", "部门"], ["王建军", "x"]])
    assert "身份证号" in missing.value.text()
    with pytest.raises(ColumnsMissing):
        _chunks([["a", "b"], ["c", "d"]])
    with pytest.raises(ColumnTwice):
        _chunks([["姓名", "员工姓名", "身份证号", "岗位"]])
    with pytest.raises(EmptyFile):
        _chunks([list(HEADINGS)])
    with pytest.raises(EmptyFile):
        _chunks([])


def test_more_rows_than_the_limit_are_refused() -> None:
    few = dataclasses.replace(limits(), max_rows=2)
    with pytest.raises(TooManyRows):
        _chunks([list(HEADINGS), *map(list, roster(3))], few)  # type: ignore[list-item]  # cells of a roster


def _refusal(data: bytes) -> type[SheetRefused]:
    with pytest.raises(SheetRefused) as caught:
        guard.sniff(data, limits())
    return type(caught.value)


def _edited(data: bytes, parts: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return the workbook with parts replaced or added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, part in parts.items():
            new.writestr(name, part)
    return buffer.getvalue()


@pytest.fixture
def workbook(tmp_path: Path) -> bytes:
    """A small honest roster."""
    return roster_bytes(tmp_path, roster(3))


def test_honest_files_are_told_by_content(workbook: bytes, tmp_path: Path) -> None:
    assert guard.sniff(workbook, limits()) == "xlsx"
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        assert guard.sniff(roster_bytes(tmp_path, roster(3), "csv", encoding=encoding), limits()) == "csv"


def test_other_files_are_refused_for_what_they_are(workbook: bytes) -> None:
    assert _refusal(b"<html><table><tr><td>x</td></tr></table></html>") is WrongFileType
    assert _refusal(b"\xef\xbb\xbf \r\n<?xml version='1.0'?><Workbook/>") is WrongFileType
    assert _refusal(b"%PDF-1.7 x") is WrongFileType
    assert _refusal(b"MZ\x00\x01\x02binary") is WrongFileType
    assert _refusal(b"") is EmptyFile
    assert _refusal(guard.OLE + b"\x00" * 600) is WrongFileType
    assert _refusal(guard.OLE + b"\x00" * 600 + guard.ENCRYPTED_STREAM) is EncryptedFile
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("a.txt", "x")
    assert _refusal(plain.getvalue()) is WrongFileType
    assert _refusal(_edited(workbook, {"xl/vbaProject.bin": b"x"})) is MacroFile


def test_damaged_and_locked_archives_are_refused(workbook: bytes) -> None:
    assert _refusal(workbook[:-40]) is CorruptFile
    middle = len(workbook) // 3
    assert _refusal(workbook[:middle] + b"\xff" * 64 + workbook[middle + 64 :]) is CorruptFile
    locked = bytearray(workbook)
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = locked.find(signature)
        while at >= 0:
            locked[at + offset] |= 1
            at = locked.find(signature, at + 4)
    assert _refusal(bytes(locked)) is EncryptedFile


def test_a_bomb_is_refused_by_its_claim_and_by_what_it_really_unpacks_to(workbook: bytes) -> None:
    size = limits().max_unpacked_bytes + 1
    sheet = b"<worksheet>" + b" " * size
    bomb = _edited(workbook, {"xl/worksheets/sheet9.xml": sheet})
    assert len(bomb) < limits().max_upload_bytes
    assert _refusal(bomb) is BombFile
    # The same bomb with a directory that lies about it.
    lying = bytearray(bomb)
    claimed = struct.pack("<L", len(sheet))
    for at in [at for at in range(len(lying)) if lying.startswith(claimed, at)]:
        lying[at : at + 4] = struct.pack("<L", 1000)
    assert _refusal(bytes(lying)) in {BombFile, CorruptFile}


STRAYS = (
    b'<c r="XFD1048576"><v>1</v></c>',
    b"<c r='XFD1048576'><v>1</v></c>",
    b'<c t=\' r="A1" \' r="XFD1048576"><v>1</v></c>',
    b'<c r="A1048576"><v>1</v></c>',
    b'<c r="BA1"><v>1</v></c>',
    b"<c><v>1</v></c>",
    b'<c\n  s="1"\n  r="ZZ1"/>',
    b'<c s="1" t="n"><v>1</v></c>',
    b'<x:c r="XFD1048576"/>',
)


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("padding", [0, 65_500, guard.CHUNK - 60, guard.CHUNK - 5])
def test_a_cell_far_away_is_refused_however_it_is_written(workbook: bytes, stray: bytes, padding: int) -> None:
    head = b"<worksheet><sheetData><row>"
    for name in ("xl/worksheets/sheet1.xml", "xl/other/place.xml"):
        parts = {name: head + b" " * (padding - len(head)) + stray + b"</row></sheetData></worksheet>"}
        assert _refusal(_edited(workbook, parts)) is StrayCells


def test_cells_of_other_programs_pass(workbook: bytes) -> None:
    sheet = (
        b'<worksheet><cols><col min="1"/></cols><row r="1"><c s="1" r="AZ199999" t="n"><v>1</v></c></row></worksheet>'
    )
    assert guard.sniff(_edited(workbook, {"xl/worksheets/sheet1.xml": sheet}), limits()) == "xlsx"


def test_a_sheet_in_another_encoding_is_refused(workbook: bytes) -> None:
    sheet = '<worksheet><row><c r="XFD1048576"/></row></worksheet>'.encode("utf-16")
    assert _refusal(_edited(workbook, {"xl/worksheets/sheet1.xml": sheet})) is CorruptFile


@given(st.binary(max_size=400))
def test_no_upload_breaks_the_guard_or_the_reader(data: bytes) -> None:
    with contextlib.suppress(SheetRefused):
        kind = guard.sniff(data, limits())
        assert kind in {"xlsx", "csv"}
        _chunks(files.rows_of(data, kind)[1])


@example(1923, b"\x00\x00@")
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_no_damage_to_a_workbook_breaks_the_guard(place: int, damage: bytes) -> None:
    hurt = bytearray(_WORKBOOK)
    at = place * len(hurt) // 2001
    hurt[at : at + len(damage)] = damage
    with contextlib.suppress(SheetRefused):
        # Without its first bytes the file may pass for a text.
        assert guard.sniff(bytes(hurt), limits()) in {"xlsx", "csv"}


def _honest() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return roster_bytes(Path(folder), roster(3))


_WORKBOOK = _honest()


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\花名册.xlsx", "花名册.xlsx"),
        ("a\x00b\n.xlsx", "ab.xlsx"),
        ("..", "roster"),
        ("名" * 300 + ".csv", "名" * 116 + ".csv"),
    ],
)
def test_paths_and_signs_in_file_names_are_dropped(given_name: str, shown: str) -> None:
    assert safe_file_name(given_name, "roster") == shown


def test_a_workbook_reads_back_what_was_written(tmp_path: Path) -> None:
    rows = [("=1+1", "http://x", "王建军")]
    target = tmp_path / "table.xlsx"
    assert files.write_table(target, "表", ["a", "b", "c"], rows, ["note"]) == 1
    _total, found = files.rows_of(target.read_bytes(), "xlsx")
    assert [list(row) for row in found] == [["a", "b", "c"], ["=1+1", "http://x", "王建军"]]

"""The enterprise administrator's part: roster, activation codes, assignment, checked cards, warnings."""

from __future__ import annotations

import html
import io
import re
import tempfile
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import python_calamine

from tests.journey.cast import Person
from tests.journey.client import Answer, Client, File
from tests.journey.instance import JourneyFailed
from tests.rosters import PlantedFault, id_number, planted_faults, write_roster

POST, POST_CODE, PROGRAMME = "危化品安全管理员", "chem_safety_manager", "chem-safety-manager-junior"
# The trainee is number one; her id number is a woman's, as her photograph shows.
NAMES = ("周玉兰", "王海峰", "李志明", "张建国", "刘春梅", "陈立新")
IMPORT_WITHIN_S = 60.0
KPI = re.compile(r'kpi-label">(.*?)</span>.*?kpi-value">(.*?)<', re.DOTALL)
CASE = re.compile(r'class="case case-(\w+)"')


def kpis(page: Answer) -> dict[str, str]:
    """Return the figures on a page by their label."""
    return {html.unescape(label).strip(): value.strip() for label, value in KPI.findall(page.text)}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to: rows taken over, rows refused, people with activation codes."""

    added: int
    unchanged: int
    rejected: int
    codes: dict[str, str]
    page: str = ""


def people() -> list[Person]:
    """Return the people whom the programme is for, the trainee first."""
    return [Person(name, id_number(2 * place + 2)) for place, name in enumerate(NAMES)]


def roster(admin: Person) -> tuple[list[tuple[object, ...]], list[PlantedFault]]:
    """Return the good rows and the faults that the file will hold."""
    good: list[tuple[object, ...]] = [
        (who.name, who.id_number, POST, "安环部", f"1390000{place:04d}", "2024-03-01")
        for place, who in enumerate(people())
    ]
    # The administrator stands in the register already, under another name than this.
    stranger = PlantedFault(("沈素珍", admin.id_number, POST, "安环部", "", "2024-03-01"), "name", "name_differs")
    return good, [*planted_faults(), stranger]


def import_roster(client: Client, admin: Person) -> Imported:
    """Import the spreadsheet: preview, every planted fault named, good rows taken over, codes once."""
    good, faults = roster(admin)
    rows = [*good, *(fault.cells for fault in faults)]
    page = _upload(client, rows, "xlsx")
    _check_faults(page, faults, first_row=len(good) + 2)
    if client.get(page.path).links(r"/codes$") and kpis(client.get("/staff"))["在册员工"] != "0":
        raise JourneyFailed("rows were taken over before anybody confirmed them")
    done = _confirm(client, page)
    shown = kpis(done)
    codes = _sheet(client.post(done.link(r"/codes$")).body)
    again = client.post(f"{page.path}/codes", expect=None)
    if again.status < 400:
        raise JourneyFailed("activation codes could be downloaded twice")
    return Imported(
        added=int(shown["已新增"]),
        unchanged=int(shown["未变"]),
        rejected=len(_bad_rows(client, done)),
        codes={row[0]: row[3] for row in codes[1:]},
        page=page.path,
    )


def import_again(client: Client, admin: Person) -> Imported:
    """Import the same people once more, as CSV."""
    good, _faults = roster(admin)
    shown = kpis(_confirm(client, _upload(client, good, "csv")))
    return Imported(int(shown["已新增"]) + int(shown["已更新"]), int(shown["未变"]), int(shown["有误"]), {})


def _upload(client: Client, rows: Sequence[Sequence[object]], kind: str) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        data = write_roster(Path(folder) / f"roster.{kind}", rows, kind).read_bytes()
    client.get("/staff/import")
    page = client.post("/staff/import", files={"file": File(f"../../花名册.{kind}", data)})
    return client.until(
        page.path, lambda now: bool(now.links(r"/confirm$")), within_s=IMPORT_WITHIN_S, what="the roster's preview"
    )


def _check_faults(page: Answer, faults: Sequence[PlantedFault], *, first_row: int) -> None:
    found = set(re.findall(r'data-row="(\d+)".*?data-code="(\w+)"', page.text, re.DOTALL))
    wanted = {(str(first_row + place), fault.code) for place, fault in enumerate(faults) if fault.code}
    if wanted - found:
        raise JourneyFailed(f"the preview does not name these faults: {sorted(wanted - found)}")


def _confirm(client: Client, page: Answer) -> Answer:
    client.post(page.link(r"/confirm$"))
    return client.until(
        page.path, lambda now: "已新增" in kpis(now) and "已完成" in now.words and "/progress" not in now.text,
        within_s=IMPORT_WITHIN_S, what="the import",
    )  # fmt: skip


def _bad_rows(client: Client, page: Answer) -> list[list[str]]:
    job = client.post(page.link(r"/bad-rows$"))
    done = client.until(
        job.path, lambda now: bool(now.links(r"/file$")), within_s=IMPORT_WITHIN_S, what="the file of bad rows"
    )
    rows = _sheet(client.get(done.link(r"/file$")).body)[1:]
    if not all(row[-1] for row in rows):
        raise JourneyFailed("a refused row has no reason in the file")
    return rows


def _sheet(data: bytes) -> list[list[str]]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    return [[str(cell) for cell in row] for row in book.get_sheet_by_index(0).to_python()]


def deadline(today: date) -> date:
    """Return a day within this month, of which the figures are: they count by the deadline's month."""
    last = today.replace(day=monthrange(today.year, today.month)[1])
    return min(today + timedelta(days=7), last)


def assign(client: Client, due_on: date) -> str:
    """Assign the programme to the post; return the assignment's page."""
    client.get("/assignments/new")
    fields = {"programme_code": PROGRAMME, "target": "post", "post_code": POST_CODE, "due_on": due_on.isoformat()}
    return client.post("/assignments/new", fields).path


def confirm_identity(client: Client, who: Person) -> None:
    """Record that the identity card of one who declined the camera was checked."""
    page = client.get(f"/staff?q={who.id_number[-4:]}")
    for link in page.links(r"/staff/[0-9a-f-]{36}$"):
        person = client.get(link)
        if who.name in person.words:
            client.post(person.link(r"/confirm-identity$"))
            return
    raise JourneyFailed(f"{who.name} is not on the staff list")


def completion_pct(page: Answer) -> float | None:
    """Return the completion on a page of figures, None while there is none."""
    shown = kpis(page).get("培训完成率", "").rstrip("%")
    try:
        return float(shown)
    except ValueError:
        return None


def await_completion(client: Client, wanted_pct: float, *, within_s: float) -> float:
    """Wait until the enterprise's own page shows a completion; return what it shows."""
    client.until(
        "/tenant", lambda page: completion_pct(page) == wanted_pct, within_s=within_s, what=f"completion {wanted_pct} %"
    )
    return wanted_pct


def open_warning(page: Answer) -> str:
    """Return the level of the open completion warning on the enterprise's board page, or none."""
    for case in page.text.split("<li>")[1:]:
        level = CASE.search(case)
        if level and "处置中" in case:
            return level[1]
    return "none"

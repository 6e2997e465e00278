"""Why an uploaded table is not read."""

from __future__ import annotations

from collections.abc import Mapping

from lms.core.errors import Invalid
from lms.core.i18n import lazy_gettext as _


class SheetRefused(Invalid):
    """An uploaded list as a whole cannot be read; the subclasses, of rooms too, say why."""

    code = "sheet_refused"
    message = _("无法读取这个文件，请使用下载的模板填写")


class WrongFileType(SheetRefused):
    """Neither an .xlsx workbook nor a CSV text, whatever the name says."""

    code = "sheet_wrong_type"
    message = _("文件内容是%(kind)s，不是 .xlsx 工作簿或 CSV 文本，请另存为 .xlsx 后再上传")


class MacroFile(SheetRefused):
    """The workbook carries macros."""

    code = "sheet_macro"
    message = _("文件含有宏，请另存为不含宏的 .xlsx 后再上传")


class EncryptedFile(SheetRefused):
    """The workbook is locked by a password."""

    code = "sheet_encrypted"
    message = _("文件设有打开密码，请取消密码后再上传")


class CorruptFile(SheetRefused):
    """The archive or the text inside is damaged."""

    code = "sheet_corrupt"
    message = _("文件已损坏或不完整，请重新保存后再上传")


class BombFile(SheetRefused):
    """Unpacked, the workbook would be larger than any list of ours."""

    code = "sheet_bomb"
    message = _("文件解压后过大（超过 %(limit_mb)s MB），请删除多余的工作表、图片和空白格式后再上传")


class StrayCells(SheetRefused):
    """Cells stand far outside any list; reading them would fill the memory with nothing."""

    code = "sheet_stray_cells"
    message = _("表格范围过大（超过 52 列或 199999 行）或单元格位置不明，请把数据复制到模板后再上传")


class EmptyFile(SheetRefused):
    """No row of data."""

    code = "sheet_empty"
    message = _("文件里没有数据行")


class TooManyRows(SheetRefused):
    """More rows than one import takes."""

    code = "sheet_too_many_rows"
    message = _("数据行超过 %(limit)s 行，请拆分后分别导入")


class ColumnsMissing(SheetRefused):
    """The heading row lacks columns that every row needs."""

    code = "sheet_columns_missing"
    message = _("没有找到这些列：%(columns)s；请使用模板的表头")


class ColumnTwice(SheetRefused):
    """Two columns claim to be the same."""

    code = "sheet_column_twice"
    message = _("列「%(column)s」出现了两次，请只保留一列")


def refusal_text(code: str | None, data: Mapping[str, object]) -> str:
    """Return why a file could not be read, in the reader's language; ``code`` and ``data`` as they were stored."""
    by_code = {kind.code: kind for kind in SheetRefused.__subclasses__()}
    return by_code.get(code or "", SheetRefused)(**data).text()

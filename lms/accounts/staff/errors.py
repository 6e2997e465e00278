"""What the staff pages refuse."""

from __future__ import annotations

from lms.core.errors import Conflict, Invalid
from lms.core.i18n import lazy_gettext as _


class RosterRefused(Invalid):
    """The file as a whole cannot be read as a roster; the subclasses say why."""

    code = "roster_refused"
    message = _("无法读取这个文件，请使用下载的模板填写")


class WrongFileType(RosterRefused):
    """Neither an .xlsx workbook nor a CSV text, whatever the name says."""

    code = "roster_wrong_type"
    message = _("文件内容是%(kind)s，不是 .xlsx 工作簿或 CSV 文本，请另存为 .xlsx 后再上传")


class MacroFile(RosterRefused):
    """The workbook carries macros."""

    code = "roster_macro"
    message = _("文件含有宏，请另存为不含宏的 .xlsx 后再上传")


class EncryptedFile(RosterRefused):
    """The workbook is locked by a password."""

    code = "roster_encrypted"
    message = _("文件设有打开密码，请取消密码后再上传")


class CorruptFile(RosterRefused):
    """The archive or the text inside is damaged."""

    code = "roster_corrupt"
    message = _("文件已损坏或不完整，请重新保存后再上传")


class BombFile(RosterRefused):
    """Unpacked, the workbook would be larger than any roster."""

    code = "roster_bomb"
    message = _("文件解压后过大（超过 %(limit_mb)s MB），请删除多余的工作表、图片和空白格式后再上传")


class StrayCells(RosterRefused):
    """Cells stand far outside a roster; reading them would fill the memory with nothing."""

    code = "roster_stray_cells"
    message = _("表格范围过大（超过 52 列或 199999 行）或单元格位置不明，请把数据复制到模板后再上传")


class EmptyFile(RosterRefused):
    """No row of data."""

    code = "roster_empty"
    message = _("文件里没有数据行")


class TooManyRows(RosterRefused):
    """More rows than one import takes."""

    code = "roster_too_many_rows"
    message = _("数据行超过 %(limit)s 行，请拆分后分别导入")


class ColumnsMissing(RosterRefused):
    """The heading row lacks columns that every person needs."""

    code = "roster_columns_missing"
    message = _("没有找到这些列：%(columns)s；请使用模板的表头")


class ColumnTwice(RosterRefused):
    """Two columns claim to be the same."""

    code = "roster_column_twice"
    message = _("列「%(column)s」出现了两次，请只保留一列")


class ImportNotReady(Conflict):
    """The import is not in the state that the step needs."""

    code = "import_not_ready"
    message = _("该次导入当前不能执行此操作，请刷新页面查看最新状态")


class NothingToImport(Conflict):
    """There is no good row to take over."""

    code = "import_nothing"
    message = _("没有可以导入的行，请修改后重新上传")


class CodesTaken(Conflict):
    """The codes were handed out before; only their digests are kept."""

    code = "codes_taken"
    message = _("激活码已于 %(at)s 由 %(name)s 下载，系统不保存明文；如有遗失请重新签发")


class NobodyToActivate(Conflict):
    """Everybody concerned has an account already."""

    code = "codes_nobody"
    message = _("这些人员都已激活，不需要激活码")


class ReasonMissing(Invalid):
    """An unmasking needs its purpose."""

    code = "reveal_reason_missing"
    message = _("请填写查看完整身份证号的用途（至少 4 个字）")


class LeavingTooEarly(Invalid):
    """Nobody leaves before being hired."""

    code = "left_before_hired"
    message = _("离职日期不能早于入职日期，也不能晚于今天")


class AlreadyLeft(Conflict):
    """The employment is over."""

    code = "already_left"
    message = _("该人员已离职，不能再修改任职信息")

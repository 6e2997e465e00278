"""What imports of every kind refuse."""

from __future__ import annotations

from lms.core.errors import Conflict
from lms.core.i18n import lazy_gettext as _


class ImportNotReady(Conflict):
    """The import is not in the state that the step needs."""

    code = "import_not_ready"
    message = _("该次导入当前不能执行此操作，请刷新页面查看最新状态")


class NothingToImport(Conflict):
    """There is nothing that the step could be done with."""

    code = "import_nothing"
    message = _("没有可以导入的行，请修改后重新上传")

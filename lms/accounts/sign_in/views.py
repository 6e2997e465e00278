"""Sign-in, activation, sign-out, the role in use, sessions."""

from __future__ import annotations

import binascii

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from lms.accounts.blueprint import bp
from lms.accounts.errors import ActivationRefused, SignInRefused, WeakPassword
from lms.accounts.faces.checking import scope_of
from lms.accounts.labels import role_name
from lms.accounts.sign_in import operations
from lms.accounts.sign_in.forms import ActivateForm, SignInForm
from lms.accounts.sign_in.rules import device_name
from lms.core import web
from lms.core.access import Role
from lms.core.addresses import local_path
from lms.core.errors import NotFound, TooMany
from lms.core.i18n import gettext as _
from lms.core.tenancy import AUTH_SCOPE


def _after_sign_in(target: str | None) -> str:
    """Return ``target`` if it is a path of this site that is not about signing in itself, else the home page."""
    path = local_path(target)
    return path if path and not path.startswith(("/sign-in", "/sign-out")) else url_for("accounts.home")


def _device() -> str:
    return device_name(request.user_agent.string or "")


def _attempt(login: str) -> operations.Attempt:
    """Move to the auth scope and refuse what tries too often."""
    web.rescope(AUTH_SCOPE)
    attempt = operations.attempt_of(web.db(), login, request.remote_addr or "")
    operations.check_throttle(web.db(), attempt)
    return attempt


def _throttled(template: str, form: FlaskForm, refused: TooMany) -> ResponseReturnValue:
    seconds = int(str(refused.data["retry_after_s"]))
    minutes = -(-seconds // 60)
    text = _("尝试次数过多，请 %(minutes)s 分钟后再试", minutes=minutes)
    response = current_app.make_response((render_template(template, form=form, refusal=text), 429))
    response.headers["Retry-After"] = str(seconds)
    return response


@bp.get("/sign-in")
@web.public
def sign_in() -> ResponseReturnValue:
    """Ask who is there."""
    if web.actor().is_signed_in:
        return redirect(_after_sign_in(request.args.get("next")))
    return render_template("accounts/sign_in.html", form=SignInForm(next=request.args.get("next", "")), refusal=None)


@bp.post("/sign-in")
@web.public
def sign_in_submit() -> ResponseReturnValue:
    """Open a session, or say the same about every wrong pair."""
    form = SignInForm()
    if not form.validate():
        return render_template("accounts/sign_in.html", form=form, refusal=None), 422
    try:
        attempt = _attempt(form.login.data or "")
    except TooMany as refused:
        return _throttled("accounts/sign_in.html", form, refused)
    try:
        opened = operations.sign_in(
            web.db(), login=form.login.data or "", password=form.password.data or "", device=_device()
        )
    except SignInRefused as refused:
        web.after_rollback(lambda session: operations.record_failure(session, attempt))
        return render_template("accounts/sign_in.html", form=form, refusal=refused.text()), 422
    web.sign_in(opened.token)
    return redirect(_after_sign_in(form.next.data))


@bp.get("/activate")
@web.public
def activate() -> ResponseReturnValue:
    """Ask for the code that the employer handed out."""
    return render_template("accounts/activate.html", form=ActivateForm(), refusal=None)


@bp.post("/activate")
@web.public
def activate_submit() -> ResponseReturnValue:
    """Open the account and sign in."""
    form = ActivateForm()
    if not form.validate():
        return render_template("accounts/activate.html", form=form, refusal=None), 422
    try:
        attempt = _attempt(form.id_number.data or "")
    except TooMany as refused:
        return _throttled("accounts/activate.html", form, refused)
    try:
        opened = operations.activate(
            web.db(),
            id_number=form.id_number.data or "",
            code=form.code.data or "",
            password=form.password.data or "",
            device=_device(),
        )
    except WeakPassword as refused:
        form.password.errors = [refused.text()]
        return render_template("accounts/activate.html", form=form, refusal=None), 422
    except ActivationRefused as refused:
        web.after_rollback(lambda session: operations.record_failure(session, attempt))
        return render_template("accounts/activate.html", form=form, refusal=refused.text()), 422
    web.sign_in(opened.token)
    flash(_("账号已激活，欢迎使用"), "ok")
    # Only learners are ever asked to show who they are.
    return redirect(url_for("accounts.consent" if opened.role == Role.TRAINEE else "accounts.home"))


@bp.post("/sign-out")
@web.public
def sign_out() -> ResponseReturnValue:
    """End the session here and on the server."""
    actor = web.actor()
    if actor.is_signed_in and actor.session_digest is not None:
        web.rescope(scope_of(actor))
        operations.revoke_session(web.db(), actor, actor.session_digest)
    web.sign_out()
    return redirect(url_for("accounts.sign_in"))


@bp.get("/role")
@web.signed_in
def role() -> ResponseReturnValue:
    """Show the parts that the person may play."""
    return render_template("accounts/role.html", others=web.actor().other_roles, role_name=role_name)


@bp.post("/role")
@web.signed_in
def switch_role() -> ResponseReturnValue:
    """Go on in another role."""
    tenant_id = web.uuid_or_none(request.form.get("tenant_id"))
    wanted = request.form.get("role", "")
    if tenant_id is None or wanted not in set(Role):
        raise NotFound
    web.rescope(scope_of(web.actor()))
    opened = operations.switch_role(web.db(), web.actor(), tenant_id=tenant_id, role=Role(wanted), device=_device())
    web.sign_in(opened.token)
    return redirect(url_for("accounts.home"))


@bp.post("/me/sessions/revoke")
@web.signed_in
def revoke_session() -> ResponseReturnValue:
    """End one of the person's sessions."""
    try:
        digest = binascii.unhexlify(request.form.get("session", ""))
    except (binascii.Error, ValueError):
        raise NotFound from None
    web.rescope(scope_of(web.actor()))
    operations.revoke_session(web.db(), web.actor(), digest)
    if digest == web.actor().session_digest:
        web.sign_out()
        return redirect(url_for("accounts.sign_in"))
    flash(_("该设备已退出登录"), "ok")
    return redirect(url_for("accounts.profile"))

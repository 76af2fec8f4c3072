"""What citizens are told, at every contact point: also whoever froze or opened it without being asked."""

from idp.messages.schema import Notice
from kit.i18n import Message, _


def _notice(kind: str, subject: Message, text: Message) -> Notice:
    return Notice(kind=kind, subject=subject, text=text)


def identity_frozen() -> Notice:
    return _notice(
        "identity.frozen",
        _("Your account is frozen"),
        _(
            "Your account was frozen: nobody signs in with it and no service gets your data. "
            "If this was not you, open it again yourself or at your registration office."
        ),
    )


def thaw_asked() -> Notice:
    return _notice(
        "identity.thaw-asked",
        _("Somebody asked to open your frozen account"),
        _(
            "Your frozen account can be opened again after a waiting time. If you did not ask for this, choose "
            "“It was not me” on the page “Open a frozen account”, or go to your registration office."
        ),
    )


def identity_thawed() -> Notice:
    return _notice(
        "identity.thawed",
        _("Your account is open again"),
        _("Your frozen account was opened again. If this was not you, freeze it and go to your registration office."),
    )


def service_frozen() -> Notice:
    return _notice(
        "service.frozen",
        _("A service is frozen"),
        _("You froze a service: it gets no data of yours until you open it again. See “Freeze” in your account."),
    )


def service_thawed() -> Notice:
    return _notice(
        "service.thawed",
        _("A service is open again"),
        _("A service that was frozen may use your data again. If this was not you, freeze your account."),
    )


def authenticator_frozen() -> Notice:
    return _notice(
        "authenticator.frozen",
        _("A way to sign in is frozen"),
        _(
            "One of your ways to sign in was frozen, and other sessions were ended. "
            "If this was not you, go to your registration office at once."
        ),
    )


def authenticator_thawed() -> Notice:
    return _notice(
        "authenticator.thawed",
        _("A way to sign in is open again"),
        _("One of your ways to sign in that was frozen works again. If this was not you, freeze your account."),
    )

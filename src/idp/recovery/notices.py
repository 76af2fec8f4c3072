from idp.messages.schema import Notice
from kit.i18n import _


def recovery_link(link: str) -> Notice:
    return Notice(
        kind="recovery.link",
        subject=_("You cannot sign in?"),
        text=_(
            "Somebody, probably you, cannot sign in to your account. To go on, open this link within 10 minutes: "
            "%(link)s If it was not you, do nothing.",
            link=link,
        ),
        lifetime_s=600,
    )


def recovery_asked() -> Notice:
    """To contact points that were never confirmed: they hear of it, and open nothing."""
    return Notice(
        kind="recovery.asked",
        subject=_("Somebody cannot sign in to your account"),
        text=_("Somebody, probably you, said that they cannot sign in to your account. If it was not you, do nothing."),
    )


def recovery_begun(hours: int, *, stop: str) -> Notice:
    return Notice(
        kind="recovery.begun",
        subject=_("Your account is being recovered"),
        text=_(
            "Somebody says that they lost the password and the second step of your account. In %(hours)s hours they "
            "can choose new ones. If this was not you, stop it now: %(link)s",
            hours=hours,
            link=stop,
        ),
        lifetime_s=3 * 86_400,
    )


def recovery_goes_on(*, stop: str) -> Notice:
    return Notice(
        kind="recovery.goes-on",
        subject=_("Your account is still being recovered"),
        text=_("The recovery of your account goes on. If this was not you, stop it now: %(link)s", link=stop),
    )


def recovery_ready(page: str, *, stop: str) -> Notice:
    return Notice(
        kind="recovery.ready",
        subject=_("You can recover your account now"),
        text=_(
            "The waiting time is over. Within 7 days go to %(page)s to choose a new password. "
            "If this was not you, stop it now: %(link)s",
            page=page,
            link=stop,
        ),
        lifetime_s=3 * 86_400,
    )


def recovery_stopped() -> Notice:
    return Notice(
        kind="recovery.stopped",
        subject=_("The recovery of your account was stopped"),
        text=_("Nothing was changed. Whoever started it cannot go on."),
    )


def account_recovered() -> Notice:
    return Notice(
        kind="account.recovered",
        subject=_("Your account has a new password and second step"),
        text=_(
            "Password and second step of your account are new, and all that was set up before is void. "
            "If this was not you, go to your registration office at once."
        ),
    )

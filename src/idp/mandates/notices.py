from idp.messages.schema import Notice
from kit.i18n import _


def mandate_changed() -> Notice:
    return Notice(
        kind="mandate.changed",
        subject=_("Something changed about who acts for whom"),
        text=_(
            "A mandate that concerns you was given, accepted or ended. See “Acting for others” in your account. "
            "If you do not know of it, end it there or go to your registration office."
        ),
    )

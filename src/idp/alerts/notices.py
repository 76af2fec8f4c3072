from idp.messages.schema import Notice
from kit.i18n import _


def new_sign_in(browser_label: str, *, link: str) -> Notice:
    return Notice(
        kind="sign-in.new",
        subject=_("A new sign-in to your account"),
        text=_(
            "Somebody signed in to your account from a browser or a network that we had not seen before (%(browser)s). "
            "If this was not you, open this link and end it: %(link)s",
            browser=browser_label or "?",
            link=link,
        ),
    )

"""The words of each message. They carry no name and, here, no link: a message may reach somebody else."""

from idp.messages.schema import Notice
from kit.i18n import _


def code_notice(code: str, *, purpose: str, lifetime_s: int) -> Notice:
    minutes = lifetime_s // 60
    text = {
        "sign-in": _(
            "%(code)s is your code to sign in. It is good for %(minutes)s minutes. Give it to nobody, also not to us.",
            code=code,
            minutes=minutes,
        ),
        "activation": _(
            "%(code)s is your code to activate your account. It is good for %(minutes)s minutes. Give it to nobody.",
            code=code,
            minutes=minutes,
        ),
    }.get(
        purpose,
        _(
            "%(code)s is your code to change your account. It is good for %(minutes)s minutes. Give it to nobody.",
            code=code,
            minutes=minutes,
        ),
    )
    return Notice(kind=f"code.{purpose}", subject=_("Your code"), text=text, lifetime_s=lifetime_s)


def password_changed() -> Notice:
    return Notice(
        kind="password.changed",
        subject=_("Your password was changed"),
        text=_(
            "The password of your account was changed and other sessions were ended. "
            "If this was not you, go to your registration office at once."
        ),
    )


def second_factor_changed() -> Notice:
    return Notice(
        kind="second-factor.changed",
        subject=_("Your second step was changed"),
        text=_(
            "The second step of your sign-in was changed. If this was not you, go to your registration office at once."
        ),
    )


def contact_changed() -> Notice:
    return Notice(
        kind="contact.changed",
        subject=_("Your contact details were changed"),
        text=_(
            "A phone number or an e-mail address of your account was changed. "
            "If this was not you, go to your registration office at once."
        ),
    )


def account_activated() -> Notice:
    return Notice(
        kind="account.activated",
        subject=_("Your account is active"),
        text=_("Your account is active. If this was not you, go to your registration office at once."),
    )


def upstream_linked() -> Notice:
    return Notice(
        kind="upstream.linked",
        subject=_("An account elsewhere was linked with yours"),
        text=_(
            "An account at another provider can now be used to sign in to your account. "
            "If this was not you, go to your registration office at once."
        ),
    )


def upstream_unlinked() -> Notice:
    return Notice(
        kind="upstream.unlinked",
        subject=_("A link with an account elsewhere was ended"),
        text=_(
            "An account at another provider can no longer be used to sign in to your account. "
            "If this was not you, go to your registration office at once."
        ),
    )


def passkey_changed() -> Notice:
    return Notice(
        kind="passkey.changed",
        subject=_("Your passkeys were changed"),
        text=_(
            "A passkey of your account was added, renamed or removed. "
            "If this was not you, go to your registration office at once."
        ),
    )


def passkey_copy_suspected() -> Notice:
    return Notice(
        kind="passkey.copy-suspected",
        subject=_("A sign-in with a passkey was refused"),
        text=_(
            "One of your passkeys may have been copied, so we refused a sign-in with it. "
            "Remove it in your account and set up a new one."
        ),
    )


def recovery_codes_made() -> Notice:
    return Notice(
        kind="recovery-codes.made",
        subject=_("New recovery codes"),
        text=_(
            "New recovery codes were made for your account, and the old ones are void. "
            "If this was not you, go to your registration office at once."
        ),
    )


def recovery_code_used(left: int) -> Notice:
    return Notice(
        kind="recovery-code.used",
        subject=_("A recovery code was used"),
        text=_(
            "Somebody signed in with one of your recovery codes. Codes left: %(left)s. "
            "If this was not you, go to your registration office at once.",
            left=left,
        ),
    )


def service_asks(*, lifetime_s: int) -> Notice:
    return Notice(
        kind="service.asks",
        subject=_("A service asks you to confirm"),
        text=_(
            "A service waits for you to confirm something. Sign in to your account and look under “Requests”. "
            "If you asked for nothing, refuse it there and say that it was not you."
        ),
        lifetime_s=lifetime_s,
    )

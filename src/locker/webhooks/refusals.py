from kit.errors import Conflict, Forbidden, Invalid, NotFound


class WebhookUnknown(NotFound):
    """Another owner's webhook and one that does not exist look the same."""

    code, title = "webhook-unknown", "You have no webhook with this identifier."


class MessageUnknown(NotFound):
    code, title = "webhook-message-unknown", "This webhook has no message with this identifier."


class WebhookUrlRefused(Invalid):
    code, title = "webhook-url-refused", "Messages cannot be sent to this address."


class EventUnknown(Invalid):
    code, title = "webhook-event-unknown", "There is no event of this name for you."


class TooManyWebhooks(Conflict):
    code, title = "too-many-webhooks", "You have as many webhooks as one may have. Remove one first."


class TooManyKeys(Conflict):
    code, title = (
        "too-many-webhook-keys",
        "Keys of this webhook were rotated a moment ago. Wait until the old ones end.",
    )


class WebhookDisabled(Conflict):
    code, title = "webhook-disabled", "This webhook is disabled. Enable it first."


class DisabledByOfficer(Forbidden):
    code, title = "webhook-disabled-by-officer", "An officer disabled this webhook, and only an officer enables it."

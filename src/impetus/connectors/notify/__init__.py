"""Messages to people through any service that Apprise knows: mail, SMS gateways, Matrix, ntfy, webhooks."""

from impetus.connectors.notify.sender import ChannelSender, Outcome, service_of

__all__ = ["ChannelSender", "Outcome", "service_of"]

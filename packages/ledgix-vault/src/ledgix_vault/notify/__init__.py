"""Sending: mail, Slack, Teams, webhooks. Each sender says what the other side answered."""

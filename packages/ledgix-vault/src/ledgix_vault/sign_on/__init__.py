"""Asking the provider of a tenant's single sign-on."""

"""Commands about machines of users."""

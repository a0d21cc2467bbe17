"""Messages to IT when the fleet needs attention: what is new, in which form, and how it is sent."""

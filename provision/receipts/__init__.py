"""What endpoints certify with their own key, and what follows for the fleet."""

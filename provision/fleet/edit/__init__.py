"""Edit an inventory file in place: comments, order, quotes and line ends stay."""

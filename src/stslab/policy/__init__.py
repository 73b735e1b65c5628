"""What IAM decides: policies and a request to a Decision with its reasons. Pure."""

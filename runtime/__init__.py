"""What runs inside a user's Lambda function."""

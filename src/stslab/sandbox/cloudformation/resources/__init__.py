"""The resource types that the sandbox's CloudFormation deploys."""

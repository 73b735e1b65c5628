"""CloudFormation: templates, stacks, change sets, and the resources that labs deploy."""

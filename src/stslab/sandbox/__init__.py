"""The embedded AWS account: IAM, STS, S3 and CloudFormation, decided as AWS does."""

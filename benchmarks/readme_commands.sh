#!/bin/sh
# The README that the lab replaces, as the aws CLI makes it: one process a command.
# Needs AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION;
# the first argument is the folder of the project. With "poll" as the second, the stack is asked
# for each second, in place of the waits of `aws cloudformation deploy`.
set -eu
top=$1
run=c$(date +%s%N | cut -c6-15)
user=sts-test-user-$run stack=my-sts-stack-$run bucket=sts-example-$run

aws iam create-user --user-name "$user" >/dev/null
key=$(aws iam create-access-key --user-name "$user" --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text)
sts_id=$(echo "$key" | cut -f1) sts_secret=$(echo "$key" | cut -f2)
printf '%s\n' "$sts_id" "$sts_secret" "$AWS_DEFAULT_REGION" json |
  AWS_CONFIG_FILE=$(mktemp) AWS_SHARED_CREDENTIALS_FILE=$(mktemp) aws configure >/dev/null
as_sts() { AWS_ACCESS_KEY_ID=$sts_id AWS_SECRET_ACCESS_KEY=$sts_secret "$@"; }
as_sts aws sts get-caller-identity >/dev/null
as_sts aws s3 ls "s3://$bucket" >/dev/null 2>&1 || true

if [ "${2:-deploy}" = deploy ]; then  # as the README's bin/deploy
  aws cloudformation deploy --stack-name "$stack" --template-file "$top/templates/sts-role.yaml" \
    --parameter-overrides "UserName=$user" "BucketName=$bucket" --capabilities CAPABILITY_IAM >/dev/null
else
  aws cloudformation create-stack --stack-name "$stack" --template-body "file://$top/templates/sts-role.yaml" \
    --parameters "ParameterKey=UserName,ParameterValue=$user" "ParameterKey=BucketName,ParameterValue=$bucket" \
    --capabilities CAPABILITY_IAM >/dev/null
  until [ "$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text)" = CREATE_COMPLETE ]; do sleep 1; done
fi
role=$(aws cloudformation describe-stacks --stack-name "$stack" --query "Stacks[0].Outputs[?OutputKey=='RoleArn'].OutputValue" --output text)

document=$(sed "s|\${{ role_arn }}|$role|" "$top/policy.json")
aws iam put-user-policy --user-name "$user" --policy-name StsAssumePolicy --policy-document "$document"
given=$(as_sts aws sts assume-role --role-arn "$role" --role-session-name sts-example-s3 \
  --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text)
as_assumed() {
  AWS_ACCESS_KEY_ID=$(echo "$given" | cut -f1) AWS_SECRET_ACCESS_KEY=$(echo "$given" | cut -f2) \
    AWS_SESSION_TOKEN=$(echo "$given" | cut -f3) "$@"
}
as_assumed aws sts get-caller-identity >/dev/null
as_sts aws s3 ls "s3://$bucket" >/dev/null 2>&1 || true
as_assumed aws s3 ls "s3://$bucket" >/dev/null

aws cloudformation delete-stack --stack-name "$stack"
aws iam delete-user-policy --user-name "$user" --policy-name StsAssumePolicy
aws iam delete-access-key --access-key-id "$sts_id" --user-name "$user"
aws iam delete-user --user-name "$user"

const cdk = require('aws-cdk-lib');
const iam = require('aws-cdk-lib/aws-iam');
const s3 = require('aws-cdk-lib/aws-s3');
const app = new cdk.App();
const stack = new cdk.Stack(app, 'CdkLab', {
  synthesizer: new cdk.CliCredentialsStackSynthesizer({fileAssetsBucketName: 'cdk-assets'}),
  env: {account: '111122223333', region: 'us-east-1'},
});
const role = new iam.Role(stack, 'Role', {assumedBy: new iam.AccountRootPrincipal()});
const bucket = new s3.Bucket(stack, 'Bucket', {removalPolicy: cdk.RemovalPolicy.DESTROY, enforceSSL: true});
bucket.grantRead(role);
new cdk.CfnOutput(stack, 'RoleArn', {value: role.roleArn});

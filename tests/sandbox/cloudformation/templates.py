"""Templates that several tests deploy."""

TRUST = """
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: sts:AssumeRole}]
"""

ROLE = f"""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:{TRUST}
Outputs:
  RoleArn: {{Value: !GetAtt Role.Arn}}
"""

BUCKET = """
Resources:
  Bucket: {Type: AWS::S3::Bucket}
Outputs:
  Name: {Value: !Ref Bucket}
"""

ROLE_AND_BUCKET = f"""
Description: A role that may list a bucket
Parameters:
  Suffix: {{Type: String, Default: one}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:{TRUST}
      Policies:
        - PolicyName: ListBucket
          PolicyDocument:
            Version: 2012-10-17
            Statement: {{Effect: Allow, Action: s3:ListBucket, Resource: !GetAtt Bucket.Arn}}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "data-${{AWS::AccountId}}-${{Suffix}}"
Outputs:
  RoleArn: {{Value: !GetAtt Role.Arn, Description: The role}}
  BucketName: {{Value: !Ref Bucket}}
"""

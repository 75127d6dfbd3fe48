"""The way from the AWS Gateway API Controller to Trellis, and back, for one cluster.

    python3 -m migrate scan        --cluster C    what the controller has, and what stands in the way (exit status 2)
    python3 -m migrate adopt       --cluster C    gives it to Trellis, with your credentials
    python3 -m migrate finalizers  --cluster C    takes the controller's finalizers off the cluster's objects
    python3 -m migrate release     --cluster C    gives it back to the controller

The functions never take what is not theirs, and IAM keeps them from it: only you can. Adopting sets tags and nothing else, so
no request notices it. MIGRATION.md has the whole order. Needs boto3, kubectl, and `vpc-lattice:TagResource`.
"""

"""`make preflight`: what can be checked about a deployment before it, without an AWS account and with one."""

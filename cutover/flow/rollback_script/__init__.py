"""`rollback.sh`: the way back of a swap that needs `sh` and `docker`, and no cutover."""

"""What stands in AWS: finding stacks, deleting them, and the lock that keeps changes apart."""

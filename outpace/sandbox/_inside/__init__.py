"""What runs inside a sandbox: mounted there alone, so it imports nothing of the rest of Outpace."""

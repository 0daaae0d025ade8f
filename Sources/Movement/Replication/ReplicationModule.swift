// Repository to repository: sealed bytes as they are, verified at arrival, committed last.

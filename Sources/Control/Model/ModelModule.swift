// The nouns: sites, tenants, desktops, recovery points, jobs, plans.

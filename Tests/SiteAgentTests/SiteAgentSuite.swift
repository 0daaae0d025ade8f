// Tests of SiteAgent.

// Tests of BlockServer.

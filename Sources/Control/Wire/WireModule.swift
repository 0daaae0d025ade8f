// Messages and clients between coordinator and agents.

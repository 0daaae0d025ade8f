// Services of the coordinator and its HTTP API.

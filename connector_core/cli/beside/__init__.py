"""Commands beside a running daemon: it does them in place of the process that was called.

So a command needs no secret in the shell, sees what the daemon has, leaves no file of another user behind, and starts
as fast as Python itself. `connector run` forks a process that does nothing but that (`door`), before it opens anything.
It listens on a Unix socket beside the database, which its own user and root reach; for each command it forks once
more, into a copy that has everything loaded, and this runs the command with the caller's standard streams.

A caller whose stream is a terminal passes on one end of a terminal of its own (`terminal`): what the daemon's user
could keep open is gone when the command ends, and prompts, colours and Ctrl-C work as always.

Where nobody listens the command opens the database itself, as it always could.
"""

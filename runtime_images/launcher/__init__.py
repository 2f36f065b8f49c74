"""The parent of every app, on one machine and as PID 1 in a container. Standard library only: images get these files alone,
and `launch.py`, which starts it:

    python -I -S launch.py SPEC.json        ("-" instead of the file: the JSON is in $LAUNCH_SPEC)

Owns: starting the app under its limits, its log file, the ready probe, the stop protocol, and the end of everything the
app started. Does not know Spaces, users, routes or the sandbox: the command line it is given already holds the sandbox.

Members of the spec (only `argv` is required):

    argv, env, cwd     what to start; the environment is exactly `env`, or the launcher's own when there is no `env`
    env_fd             if given, the command gets an empty environment and, on this descriptor, a shell script that exports
                       `env`: what sets up a sandbox must not obey an author's LD_PRELOAD
    depth              processes between the launcher and the app (2 under bubblewrap, else 0)
    port, contract_port, ready_path       where the app must answer; see `Probe`
    outside            true in a container: it must answer at the container's address, loopback is not enough
    memory, processes, files, file_size, user_processes      limits: bytes, counts, bytes, RLIMIT_NPROC
    cgroup             name of the control group to try to create for the limits; "." is the one that it runs in
    grace              seconds between SIGTERM and SIGKILL
    log, log_limit     log file and its cap in bytes, "-" for clean lines on stdout; without `log` the app inherits
                       stdout and stderr
    status, bell, id   status file to keep, datagram socket to send `id` to on each change; status "-": tell it on stdout,
                       each time as one line that begins with the character \\x1e, which no line of the app has
    last_words         file to leave the last status in, cut to LAST_WORDS_LIMIT bytes: a cluster reads no more
    ended              file to leave when the app has ended. Where it is there at the start, nothing is started: the app of a
                       container is not run a second time because a cluster starts containers again

Signals: SIGTERM or SIGINT stops the app; the launcher exits when nothing of it is left, with the app's exit status
(128 + signal as shells have it). If the launcher itself is killed, the kernel kills the app (PR_SET_PDEATHSIG).
"""

KB, MB = 1024, 1024**2

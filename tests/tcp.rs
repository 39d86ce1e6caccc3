//! The TCP programs beside the server: sockets, identities, clients, services.

use std::io::Read;
use std::net::TcpStream;

use crate::tcpserverd::{serve, talk};
use crate::util::{TempDir, accept, cmd, eventually, listener, mounted, need, refused_port, skip};

#[test]
fn socketbinder_reports_its_failures() {
    let (socket, port) = listener();
    let bind = |ip: &str, port: &str| cmd(["s6-tcpserver-socketbinder", ip, port, "true"]).run();
    bind("127.0.0.1", &port.to_string()).fatal(
        111,
        &format!("s6-tcpserver-socketbinder: fatal: unable to bind to 127.0.0.1 port {port} : Address already in use"),
    );
    drop(socket);
    for ip in ["127.0.0.1x", "localhost", "127.1"] {
        let line = format!("s6-tcpserver-socketbinder: fatal: ip must be an IP address: {ip}");
        bind(ip, "0").fatal(100, &line);
    }
    let line = "s6-tcpserver-socketbinder: fatal: port must be a number from 0 to 65535: 65536";
    bind("127.0.0.1", "65536").fatal(100, line);
    let output = cmd(["s6-tcpserver-socketbinder", "-m", "127.0.0.1", "0", "true"]).run();
    output.fatal_with(
        111,
        "s6-tcpserver-socketbinder: fatal: unable to listen to 127.0.0.1 port 0 : ",
        &[],
    );
    cmd([
        "s6-tcpserver-socketbinder",
        "-m",
        "-b0",
        "-B",
        "::1",
        "0",
        "true",
    ])
    .run()
    .success();
}

#[test]
fn server_reports_a_bad_address_itself() {
    let line = "s6-tcpserver: fatal: ip must be an IP address: 127.1";
    cmd(["s6-tcpserver", "127.1", "0", "true"])
        .run()
        .fatal(100, line);
}

#[test]
fn socketbinder_makes_the_socket_block_only_if_asked() {
    let flags = |options: &[&str]| {
        let show = "grep flags: /proc/self/fdinfo/0";
        let binder = cmd(["s6-tcpserver-socketbinder"]).args(options);
        let output = binder.args(["127.0.0.1", "0", "sh", "-c", show]).run();
        let octal = output.success().out();
        i32::from_str_radix(octal.trim_start_matches("flags:").trim(), 8).unwrap()
    };
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    assert_eq!(flags(&[]) & nonblocking, nonblocking);
    assert_eq!(flags(&["-B"]) & nonblocking, 0);
}

#[test]
fn identities_are_taken_as_told() {
    if !nix::unistd::geteuid().is_root() {
        skip("not root");
        return;
    }
    let run = |args: &[&str]| {
        let show = [
            "sh",
            "-c",
            "id -u; id -g; id -G; echo \"${UID-}${GID-}${GIDLIST-}\"",
        ];
        let command = cmd(["s6-applyuidgid"]).args(args).args(show);
        command
            .env("UID", "11")
            .env("GID", "12")
            .env("GIDLIST", "13,14")
            .run()
    };
    assert_eq!(
        run(&["-u", "5", "-g", "6", "-G", "7,8"]).success().out(),
        "5\n6\n6 7 8\n111213,14\n"
    );
    assert_eq!(run(&["-Uz"]).success().out(), "11\n12\n12 13 14\n\n");
    assert_eq!(
        run(&["-u1", "-U", "-g2", "-z"]).success().out(),
        "11\n2\n2 13 14\n\n"
    );
    assert_eq!(run(&["-G", ""]).success().out(), "0\n0\n0\n111213,14\n");
    // An id of 0 is not set, so it is no error where it could not be.
    let zero = ["s6-applyuidgid", "-u", "0", "-g", "0"];
    let output = run(&[&["-u", "5", "-g", "6", "-G", "7"][..], &zero].concat());
    assert_eq!(output.success().out(), "5\n6\n6 7\n111213,14\n");
    // -u alone, of which the servers warn.
    assert_eq!(
        run(&[
            "-G",
            "7,8",
            "sh",
            "-c",
            "exec s6-applyuidgid -u 5 sh -c \"id -g; id -G\""
        ])
        .success()
        .out(),
        "0\n0 7 8\n"
    );
    assert!(
        run(&["-G", "1,x"])
            .code(100)
            .err()
            .starts_with("s6-applyuidgid: usage: ")
    );
    let unset = cmd(["s6-applyuidgid", "-U", "true"]).run();
    unset.fatal(100, "s6-applyuidgid: fatal: UID not set");
    let bad = cmd(["s6-applyuidgid", "-U", "true"])
        .env("UID", "x")
        .env("GID", "1")
        .env("GIDLIST", "")
        .run();
    bad.fatal(100, "s6-applyuidgid: fatal: invalid $UID");
}

#[test]
fn the_client_leaves_the_connection_on_six_and_seven() {
    let (_server, port) = serve(&[], &["cat"]);
    let port = port.to_string();
    let show = "echo x >&7; read -r line <&6; echo $line; env | grep -E '^TCP(REMOTE|LOCALHOST)' | sort; \
                for i in $(seq 0 60); do [ -e /proc/$$/fd/$i ] && printf '%s ' $i; done; true";
    let client = |options: &[&str], host: &str| {
        cmd(["s6-tcpclient"])
            .args(options)
            .args([host, &port, "sh", "-c", show])
            .env("TCPREMOTEHOST", "inherited")
            .env("TCPREMOTEINFO", "inherited")
            .run()
            .success()
    };
    let expected = format!("x\nTCPREMOTEIP=127.0.0.1\nTCPREMOTEPORT={port}\n0 1 2 6 7 ");
    assert_eq!(client(&["-H"], "127.0.0.1").out(), expected);
    assert_eq!(client(&["-H", "-4"], "0").out(), expected);
    let named = client(&["-H", "-l", "me"], "127.0.0.1").out();
    assert!(named.contains("\nTCPLOCALHOST=me\n"), "{named}");
    // The second address takes the connection; the first one refuses.
    let verbose = client(&["-Hv", "-T1+1"], "::1,127.0.0.1");
    assert_eq!(
        verbose.err(),
        format!("s6-tcpclient: info: connected to 127.0.0.1 port {port}\n")
    );
    let from = client(&["-H", "-i", "127.0.0.9"], "127.0.0.1");
    assert_eq!(from.out(), expected);
}

#[test]
fn tcpclient_reports_its_failures() {
    let port = refused_port().to_string();
    let run = |args: &[&str]| cmd(["s6-tcpclient"]).args(args).args([&port, "true"]).run();
    let refused = run(&["-H", "127.0.0.1"]).code(111);
    assert_eq!(
        refused.err(),
        format!(
            "s6-tcpclient: warning: unable to connect to 127.0.0.1 port {port}: Connection refused\n\
             s6-tcpclient: fatal: unable to connect to a suitable IP address\n"
        )
    );
    run(&["-qH", "127.0.0.1"]).fatal(
        111,
        "s6-tcpclient: fatal: unable to connect to a suitable IP address",
    );
    run(&["-H", "localhost"]).code(100);
    let unbound = run(&["-H", "-i", "192.0.2.77", "127.0.0.1"]);
    unbound.fatal(
        111,
        "s6-tcpclient: fatal: unable to bind socket: Cannot assign requested address",
    );
    let bad = cmd(["s6-tcpclient", "h", "smtp", "true"]).run();
    bad.fatal(100, "s6-tcpclient: fatal: invalid port number: smtp");
}

#[test]
fn debians_tools_chain_with_ours() {
    if !need(&["tcpclient", "tcpserver", "execlineb", "tcpsvd"]) {
        return;
    }
    let (_server, port) = serve(&[], &["cat"]);
    let script = "foreground { fdmove 1 7 echo through } fdmove 0 6 head -n1";
    let output = cmd([
        "tcpclient",
        "-RHl0",
        "127.0.0.1",
        &port.to_string(),
        "execlineb",
        "-Pc",
        script,
    ])
    .run();
    assert_eq!(output.success().out(), "through\n");
}

#[test]
fn one_service_may_take_both_families() {
    let show = "echo $TCPREMOTEIP $TCPLOCALIP $TCPCONNNUM";
    let server = cmd(["s6-tcpserver", "-1", "-a", "::", "0", "sh", "-c", show]).start();
    let port = server.port();
    let ask = |ip: &str| {
        let mut answer = String::new();
        TcpStream::connect((ip, port))
            .unwrap()
            .read_to_string(&mut answer)
            .unwrap();
        answer
    };
    assert_eq!(ask("127.0.0.1"), "127.0.0.1 0.0.0.0 1\n");
    assert_eq!(ask("::1"), "::1 :: 1\n");
    let server = cmd(["s6-tcpserver", "-1", "::", "0", "true"]).start();
    let port = server.port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn s6_learns_when_the_service_is_ready() {
    if !need(&["s6-supervise", "s6-svwait", "s6-svc"]) {
        return;
    }
    let dir = crate::util::TempDir::new();
    dir.file("service/notification-fd", "3\n");
    let bin = crate::util::bin_dir();
    let run = format!(
        "#!/bin/sh\nPATH={}:$PATH\nexec s6-tcpserver -1 127.0.0.1 0 cat 1>&3\n",
        bin.display()
    );
    dir.program("service/run", run);
    let service = dir.join("service");
    let _supervise = cmd(["s6-supervise"]).arg(&service).start();
    eventually("s6-supervise runs", || {
        service.join("supervise/status").exists().then_some(())
    });
    cmd(["s6-svwait", "-U", "-t", "5000"])
        .arg(&service)
        .run()
        .success();
    cmd(["s6-svc", "-dx"]).arg(&service).run().success();
    cmd(["s6-svwait", "-D", "-t", "5000"])
        .arg(&service)
        .run()
        .success();
}

#[test]
fn closed_and_broken_outputs_do_not_matter() {
    let (socket, port) = listener();
    let (reader, writer) = crate::util::pipe();
    drop(reader);
    let _server = cmd(["s6-tcpserverd", "-v2", "-1", "cat"])
        .fd(0, socket)
        .fd(1, writer)
        .closed(2)
        .start();
    assert_eq!(talk(port, "served"), "served");
    let (socket, port) = listener();
    let show = [
        "sh",
        "-c",
        "[ -e /proc/$$/fd/2 ] && echo open || echo closed",
    ];
    let _server = cmd(["s6-tcpserverd", "-v2", "-1"])
        .args(show)
        .fd(0, socket)
        .closed(1)
        .closed(2)
        .start();
    assert_eq!(talk(port, ""), "closed\n");
}

#[test]
fn service_for_a_reader_that_has_gone_is_an_error() {
    let (reader, stdout) = std::io::pipe().unwrap();
    drop(reader);
    let output = cmd(["s6-getservbyname", "80", "tcp"]).fd(1, stdout).run();
    let line = "s6-getservbyname: fatal: unable to write to stdout: Broken pipe";
    output.fatal(111, line);
}

#[test]
fn services_are_named_as_in_etc_services() {
    let run = |args: &[&str]| cmd(["s6-getservbyname"]).args(args).run();
    assert_eq!(run(&["0080", "tcp"]).success().out(), "80\n");
    if std::fs::read_to_string("/etc/services").is_ok_and(|text| text.contains("\nsmtp")) {
        assert_eq!(run(&["smtp", "tcp"]).success().out(), "25\n");
        assert_eq!(run(&["mail", "tcp"]).success().out(), "25\n");
    }
    assert_eq!(run(&["no-such-service", "tcp"]).code(1).out(), "");
    run(&["smtp"]).code(100);
}

#[test]
fn services_that_cannot_be_read_are_an_error_and_missing_ones_unknown() {
    if !nix::unistd::geteuid().is_root() {
        skip("root alone mounts files");
        return;
    }
    let dir = TempDir::new();
    let file = dir.secret("services", "smtp 25/tcp\n");
    let Some(mounted) = mounted(&[(&file, "/etc/services")]) else {
        return;
    };
    let run = |name: &str, prefix: &[&str]| {
        let command = cmd(["s6-getservbyname", name, "tcp"]).run_by(prefix);
        command.run_by(&mounted).run()
    };
    assert_eq!(run("smtp", &["env"]).success().out(), "25\n");
    let nobody = ["s6-applyuidgid", "-u", "65534", "-g", "65534", "-G", ""];
    run("smtp", &nobody).fatal(
        111,
        "s6-getservbyname: fatal: unable to read /etc/services: Permission denied",
    );
    // A number needs no file.
    assert_eq!(run("25", &nobody).success().out(), "25\n");
    let hidden = [
        "unshare",
        "-m",
        "sh",
        "-ec",
        "mount -t tmpfs none /etc; exec \"$@\"",
        "sh",
    ];
    let unknown = cmd(["s6-getservbyname", "smtp", "tcp"])
        .run_by(hidden)
        .run();
    assert_eq!(unknown.code(1).out(), "");
}

#[test]
fn an_address_that_old_connections_use_is_free_unless_told_otherwise() {
    let (socket, port) = listener();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // The end that closes first keeps the port for a minute.
    drop(accept(&socket));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop((client, socket));
    let bind = |option: &str| {
        let port = port.to_string();
        cmd([
            "s6-tcpserver-socketbinder",
            option,
            "127.0.0.1",
            &port,
            "true",
        ])
        .run()
    };
    let taken = format!(
        "s6-tcpserver-socketbinder: fatal: unable to bind to 127.0.0.1 port {port} : Address \
         already in use"
    );
    bind("-D").fatal(111, &taken);
    bind("-d").success();
}

//! The embedded server: started, adopted, attached to, stopped; and what can be in its way.

use std::{fs, os::unix::fs::PermissionsExt};

use tests::Backtrail;

use crate::BACKTRAIL;

#[test]
fn a_subcommand_starts_the_server_and_stops_it_again() {
    let backtrail = Backtrail::new(BACKTRAIL);
    assert!(backtrail.succeed(&["migrate"]).contains("up to date"));
    assert!(backtrail.data_dir().join("postgres/PG_VERSION").exists());
    assert_eq!(backtrail.postmaster(), None);
    let _ = backtrail.succeed(&["migrate"]);
    assert_eq!(backtrail.postmaster(), None);
}

#[test]
fn the_server_of_a_killed_process_is_adopted_and_stopped_by_the_next() {
    let backtrail = Backtrail::new(BACKTRAIL);
    backtrail.serve().kill();
    let left = backtrail.postmaster().expect("it was left running");
    let served = backtrail.serve();
    assert_eq!(backtrail.postmaster(), Some(left));
    let (status, _) = served.terminate();
    assert!(status.success());
    assert_eq!(backtrail.postmaster(), None);
}

#[test]
fn a_server_that_was_killed_itself_starts_again() {
    use rustix::process::{Pid, Signal, kill_process};
    let backtrail = Backtrail::new(BACKTRAIL);
    backtrail.serve().kill();
    let postmaster = backtrail.postmaster().expect("it was left running");
    let pid = Pid::from_raw(i32::try_from(postmaster).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let _ = backtrail.succeed(&["migrate"]);
    assert_eq!(backtrail.postmaster(), None);
}

#[test]
fn a_stale_pid_file_that_names_a_stranger_is_no_obstacle() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let _ = backtrail.succeed(&["migrate"]);
    let path = backtrail.data_dir().join("postgres/postmaster.pid");
    let stranger = std::process::id();
    fs::write(&path, format!("{stranger}\n{}\n0\n5432\n/tmp\n\n0 0\nready\n", path.display()))
        .unwrap();
    let _ = backtrail.succeed(&["migrate"]);
    assert!(!path.exists());
}

#[test]
fn a_second_server_is_refused_and_readers_attach() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let served = backtrail.serve();
    let postmaster = backtrail.postmaster();
    let complaint = backtrail.fail(&["serve"]);
    let expected = format!("is in use by another backtrail (process {})", served.pid());
    assert!(complaint.contains(&expected), "{complaint}");
    let _ = backtrail.succeed(&["events"]);
    let _ = backtrail.succeed(&["projections", "status"]);
    // Neither of them stopped what is not theirs.
    assert_eq!(backtrail.postmaster(), postmaster);
    assert!(postmaster.is_some());
    assert!(served.terminate().0.success());
}

#[test]
fn the_socket_lies_in_a_short_private_folder_however_deep_the_data_is() {
    let deep = format!("{}/.backtrail", "deep".repeat(30));
    let backtrail = Backtrail::new(BACKTRAIL).with("BACKTRAIL_DATA_DIR", &deep);
    let served = backtrail.serve();
    let pid_file = backtrail.folder().join(&deep).join("postgres/postmaster.pid");
    let text = fs::read_to_string(pid_file).unwrap();
    let socket = text.lines().nth(4).unwrap();
    assert!(format!("{socket}/.s.PGSQL.5432").len() <= 107, "{socket}");
    assert_eq!(fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(text.lines().nth(5), Some(""), "it listens on no address");
    assert!(served.terminate().0.success());
    assert!(!fs::exists(socket).unwrap());
}

#[test]
fn another_place_is_taken_and_named_where_the_servers_user_cannot_reach_the_data() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let backtrail =
        Backtrail::new(BACKTRAIL).with("BACKTRAIL_LOG__LEVEL", "info,tokio_postgres=warn");
    fs::set_permissions(backtrail.folder(), fs::Permissions::from_mode(0o700)).unwrap();
    let output = backtrail.run(&["migrate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let place = fs::read_to_string(backtrail.data_dir().join("postgres.location")).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(place.trim()), "{said}");
    let _ = backtrail.succeed(&["migrate"]);
}

#[test]
fn missing_binaries_are_told_with_what_to_install() {
    let backtrail = Backtrail::new(BACKTRAIL).with("PGBIN", "/nowhere");
    let complaint = backtrail.fail(&["migrate"]);
    assert!(complaint.contains("/nowhere"), "{complaint}");
    assert!(complaint.contains("apt-get install postgresql"), "{complaint}");
}

#[test]
fn a_cluster_of_another_version_is_named_and_left_alone() {
    let backtrail = Backtrail::new(BACKTRAIL);
    let cluster = backtrail.data_dir().join("postgres");
    fs::create_dir_all(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "9.6\n").unwrap();
    let complaint = backtrail.fail(&["migrate"]);
    assert!(complaint.contains("was created by PostgreSQL 9.6"), "{complaint}");
    assert_eq!(fs::read_to_string(cluster.join("PG_VERSION")).unwrap(), "9.6\n");
}

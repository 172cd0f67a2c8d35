"""What a try as a new operator found once, and what holds it now: a step of `test_operated.py`, or another test.

The letters are those of that report; a test is named by its file and its name.
"""

from __future__ import annotations

#: What is done on the machine, in both stories.
STEPS = frozenset(
    {
        "a first command as root spoils nothing",
        "a folder that cannot be written",
        "a lost secret key",
        "an older program refuses the newer database",
        "authorize",
        "backup",
        "commands beside the service",
        "configure",
        "install",
        "killed",
        "live",
        "looking changes nothing",
        "reload",
        "restore",
        "reverse proxy",
        "rollback by backup",
        "service",
        "support bundle",
        "the demo says what it needs",
        "the last release runs",
        "uninstall",
        "upgrade",
        "upgrade again",
    }
)
#: A finding, in a few words, and what holds it: steps, or tests as `file::name`.
HELD: dict[str, tuple[str, ...]] = {
    "A1 commands that look change the daemon's settings": (
        "looking changes nothing",
        "e2e/test_read_only_commands.py::test_no_reading_command_changes_anything",
    ),
    "A2 a lost key is a dead end": (
        "a lost secret key",
        "e2e/test_secret_key.py::test_a_lost_key_is_found_again",
        "e2e/test_secret_key.py::test_a_key_lost_for_good",
    ),
    "A3 a folder that cannot be written ends in a traceback": ("a folder that cannot be written",),
    "A4 no way through a company's proxy": (
        "e2e/test_outbound.py::test_every_call_of_daemon_and_doctor_goes_through_the_proxy",
    ),
    "A5 a restore doubles tickets": (
        "restore",
        "e2e/test_restored_database.py::test_what_was_opened_after_the_backup_keeps_its_request",
    ),
    "A6 a database that lacks something counts as ready": (
        "core/test_database_versions.py::test_a_daemon_refuses_what_lacks_something",
        "core/test_landed_migrations.py::test_no_landed_migration_was_edited",
    ),
    "A7 --json is no JSON where a plugin is broken": (
        "core/test_json_always.py::test_every_command_prints_json_in_every_situation",
    ),
    "A8 a plugin that exits when it is imported": (
        "core/test_plugins.py::test_a_plugin_that_would_end_the_process_does_not",
        "core/test_plugins.py::test_a_plugin_that_hangs_when_it_is_loaded_is_a_row",
    ),
    "A9 no command works beside a service": (
        "commands beside the service",
        "a first command as root spoils nothing",
        "e2e/test_commands_beside.py::test_a_command_needs_no_secret",
        "core/test_database_versions.py::test_what_root_makes_first_is_the_service_users",
    ),
    "A10 files that everybody reads": (
        "service",
        "backup",
        "e2e/test_private_files.py::test_database_and_all_beside_it_are_private",
    ),
    "A11 SIGHUP kills": (
        "reload",
        "e2e/test_read_only_commands.py::test_hang_up_takes_the_file_over",
        "core/test_demo_signals.py::test_a_signal_ends_the_block_and_takes_down",
    ),
    "A12 reading migrates": (
        "upgrade",
        "core/test_database_versions.py::test_only_run_and_migrate_bring_up_to_date",
    ),
    "A13 the demo shows what the platform cannot do": (
        "e2e/test_demo.py::test_demo_tells_the_whole_story_and_ends_well",
        "core/test_listings_for_people.py::test_which_changes_a_source_cannot_take_is_said_before_one_is_made",
    ),
    "A14 hints that lead to strangers' packages": (
        "the demo says what it needs",
        "test_surfaces.py::test_no_hint_names_a_package_that_nobody_owns",
    ),
    "A15.1 exit codes": (
        "core/test_exit_codes.py::test_an_unknown_name_is_a_wrong_command_line",
        "core/test_exit_codes.py::test_what_lacks_yes_is_not_done",
    ),
    "A15.2 status before the first start": (
        "e2e/test_read_only_commands.py::test_what_is_only_in_the_file_is_no_integration_yet",
    ),
    "A15.3 --choices makes something": ("core/test_exit_codes.py::test_choices_make_nothing",),
    "A15.4 secrets on the command line": (
        "core/test_exit_codes.py::test_secrets_are_read_from_files_and_standard_input",
    ),
    "A15.5 colours in the log": ("core/test_logs.py::test_lines_of_the_http_server_have_names_and_no_colours",),
    "A15.6 IPv6 without brackets": ("e2e/test_ipv6.py::test_it_is_listened_at_and_written_with_brackets",),
    "A15.7 public_url with a path": ("e2e/test_reverse_proxies.py::test_below_a_path_everything_works_in_a_browser",),
    "A15.8 shown in signs of Python": ("core/test_listings_for_people.py::test_an_integration_is_shown_in_words",),
    "A15.9 config show cannot be put back": ("core/test_config_shown.py::test_what_is_shown_means_the_same",),
    "A15.10 a list that is cut without a word": ("core/test_listings_for_people.py::test_a_cut_list_says_so",),
    "A15.11 in step although a field is on the ticket only": (
        "e2e/test_xyte_source.py::test_without_a_gateway_a_new_title_is_on_the_ticket_only",
    ),
    "A15.12 a stop that a hanging call delays": (
        "e2e/test_stopping.py::test_a_daemon_without_its_database_stops_in_time",
    ),
    "A15.13 alerts that page twice": (
        "test_monitoring_files.py::test_alerts_fire_when_they_should_and_once",
        "test_monitoring_files.py::test_each_alert_says_how_bad_it_is_and_what_to_do",
    ),
    "A15.14 a login behind a proxy that hides its name": (
        "console/test_access.py::test_a_proxy_that_keeps_the_name_to_itself_is_in_nobodys_way",
    ),
    "A15.15 the proxy's address for everybody's": (
        "e2e/test_reverse_proxies.py::test_a_proxy_on_another_host_is_believed_where_it_is_named",
        "core/test_client_address.py::test_the_last_sender_that_is_no_proxy_of_ours",
    ),
    "A15.16 no licence, no example in the wheels": (
        "install",
        "configure",
        "test_wheels.py::test_each_holds_its_own_package_and_nothing_else",
    ),
    "A15.18 unlink and recreate without --yes": (
        "core/test_operations.py::test_an_unlinked_pair_is_left_alone_until_a_person_wants_it_back",
        "core/test_removal_commands.py::test_unlinking_asks_first",
        "core/test_exit_codes.py::test_what_lacks_yes_is_not_done",
    ),
    "A15.19 an unknown page is bare": ("console/test_access.py::test_an_unknown_page_is_a_page",),
    "A15.20 no page about the service": (
        "test_docs.py::test_every_page_is_in_the_menu",
        "e2e/test_documented_commands.py::test_every_command_does_what_it_is_shown_for",
    ),
    "A15.17 stand-ins cannot be started": ("test_wheels.py::test_a_stand_in_needs_neither_core_nor_plugin",),
}

#!/bin/sh
# The tests start PostgreSQL servers of their own, for which they need initdb
# and postgres. Where these are missing, this installs them through the
# system's packages as root, and tells others what to run. No server is
# started, and no database made, by the packages.
set -eu

found() {
	command -v initdb >/dev/null && return 0
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 # where Debian keeps them
}

# Debian makes a database and starts a server when the package is installed,
# unless it is told otherwise between its two packages.
debian() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -qy --no-install-recommends postgresql-common
	echo 'create_main_cluster = false # by tests/postgres.sh' >>/etc/postgresql-common/createcluster.conf
	apt-get install -qy --no-install-recommends postgresql
}

install() {
	if command -v apt-get >/dev/null; then
		debian
	elif command -v dnf >/dev/null; then
		dnf install -y postgresql-server
	elif command -v apk >/dev/null; then
		apk add postgresql
	else
		echo "tests/postgres.sh: no package manager that it knows; install PostgreSQL 12 or newer so that initdb is on the PATH" >&2
		exit 1
	fi
}

found && exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "tests/postgres.sh: the tests need PostgreSQL; to install it, run: sudo sh tests/postgres.sh" >&2
	exit 1
fi
install
found || { echo "tests/postgres.sh: PostgreSQL was installed, and initdb is not where it should be" >&2; exit 1; }

#!/bin/bash
# up.sh DIR: starts a Ceph of one monitor, three OSDs and an S3 gateway, on loopback, over TLS with a CA of its own, with
# nothing but the packages of packages.txt: no systemd, no containers. All state lies in DIR, which is emptied first.
# The gateway alone listens at BREAKWATER_CEPH_ADDRESS where that is set to another address of this machine.
#
# When it returns 0, DIR holds what a client needs, readable by its owner only:
#   endpoint        https://ADDRESS:PORT
#   ca.pem          the CA that signed the gateway's certificate
#   credentials     a file of AWS credentials, made anew at each start
#   pids/NAME       the process of each daemon: mon.a, osd.0, osd.1, osd.2, rgw.a
# When it fails, the ends of the daemons' logs are on standard error and nothing of it runs any more.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
# How long each step may take: a machine that builds beside it is slow.
patience=180

# 1. What an earlier run left.
bash "$here/down.sh" "$dir"
find "$dir" -mindepth 1 -delete
chmod 700 "$dir"
umask 077
mkdir -p "$dir"/{pids,mon,osd,run,log}
address=${BREAKWATER_CEPH_ADDRESS:-127.0.0.1}

fail() {
    for log in "$dir"/log/*; do
        [ -s "$log" ] || continue
        echo "--- the end of ${log#"$dir"/}" >&2
        tail -n 15 "$log" >&2
    done
    echo "Sites/ceph/up.sh: no S3 engine: $1" >&2
    bash "$here/down.sh" "$dir"
    exit 1
}
trap 'fail "line $LINENO failed"' ERR

# 2. Ports that are free now. The monitor takes one for each version of its protocol.
free_port() {
    local port
    for _ in $(seq 200); do
        port=$((20000 + RANDOM % 12000))
        [[ " ${taken[*]-} " == *" $port "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
        taken+=("$port")
        chosen=$port
        return
    done
    fail "no port of loopback is free"
}
taken=()
free_port; monitor=$chosen
free_port; monitor_old=$chosen
free_port; gateway=$chosen

# 3. A CA, and the gateway's certificate.
tls="$dir/tls"
mkdir "$tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Breakwater test CA" \
    -addext "basicConstraints=critical,CA:TRUE" -keyout "$tls/ca.key" -out "$dir/ca.pem" 2>>"$dir/log/openssl"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
    -keyout "$tls/gateway.key" -out "$tls/gateway.csr" 2>>"$dir/log/openssl"
openssl x509 -req -in "$tls/gateway.csr" -CA "$dir/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=DNS:localhost,DNS:breakwater-virtual.localhost,IP:$address") -out "$tls/gateway.pem" \
    2>>"$dir/log/openssl"

# 4. The cluster's configuration. A pool has three replicas and takes writes while two are there, so that an OSD may die;
# reports of one peer are enough to mark it down. Admin sockets are off: their paths would be too long in a deep folder.
export CEPH_CONF="$dir/ceph.conf"
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_initial_members = a
mon_host = [v2:127.0.0.1:$monitor,v1:127.0.0.1:$monitor_old]
public_network = 127.0.0.0/8
ms_bind_ipv6 = false
keyring = $dir/keyring
run_dir = $dir/run
admin_socket =
pid_file =
log_file = $dir/log/\$name.log
log_to_stderr = false
err_to_stderr = true
mon_cluster_log_file = $dir/log/cluster.log
crash_dir = $dir/run
mon_data = $dir/mon/\$id
osd_data = $dir/osd/\$id
rgw_data = $dir/run
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_osd_min_down_reporters = 1
mon_osd_reporter_subtree_level = osd
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_osd_nearfull_ratio = .95
mon_osd_backfillfull_ratio = .96
mon_osd_full_ratio = .97
osd_objectstore = bluestore
bluestore_block_size = $((8 << 30))
bluestore_fsck_on_mount = false
osd_memory_target = 939524096
rgw_frontends = beast ssl_endpoint=$address:$gateway ssl_certificate=$tls/gateway.pem ssl_private_key=$tls/gateway.key
rgw_dns_name = localhost
rgw_max_concurrent_requests = 256
rgw_enable_usage_log = false
CONF

keyring="$dir/keyring"
key() { ceph-authtool "$keyring" --gen-key -n "$@" >>"$dir/log/keys" 2>&1; }
ceph-authtool -C "$keyring" --gen-key -n mon. --cap mon 'allow *' >>"$dir/log/keys" 2>&1
key client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key client.rgw.a --cap mon 'allow rw' --cap osd 'allow rwx'
for osd in 0 1 2; do key "osd.$osd" --cap mon 'allow profile osd' --cap osd 'allow *'; done

# 5. The daemons. Each in a session of its own, so that Ctrl-C at the tests does not reach it, and known by its pid.
daemon() {
    local name=$1
    shift
    setsid "$@" </dev/null >"$dir/log/$name.out" 2>&1 &
    echo $! >"$dir/pids/$name"
    disown
}

# wait_for WHAT COMMAND...: polls until the command succeeds; a daemon that died ends the wait.
wait_for() {
    local what=$1 end=$((SECONDS + patience)) pid
    shift
    until "$@" >/dev/null 2>>"$dir/log/wait"; do
        for pid in "$dir"/pids/*; do
            kill -0 "$(cat "$pid")" 2>/dev/null || fail "$(basename "$pid") ended while waiting for $what"
        done
        [ "$SECONDS" -lt "$end" ] || fail "$what took more than $patience s"
        sleep 0.2
    done
}

ask() { timeout 10 ceph --connect-timeout 5 "$@"; }
osds_up() { ask osd stat -f json | grep -q '"num_up_osds":3[,}]'; }
# Any answer over verified TLS.
gateway_answers() { curl --silent --noproxy '*' --cacert "$dir/ca.pem" --max-time 10 "https://$address:$gateway/"; }

monmaptool --create --clobber --fsid "$(sed -n 's/^fsid = //p' "$CEPH_CONF")" \
    --addv a "[v2:127.0.0.1:$monitor,v1:127.0.0.1:$monitor_old]" "$dir/monmap" >>"$dir/log/mon.mkfs" 2>&1
ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$keyring" >>"$dir/log/mon.mkfs" 2>&1
daemon mon.a ceph-mon -i a -f
wait_for "the monitor" ask mon stat
for osd in 0 1 2; do
    uuid=$(cat /proc/sys/kernel/random/uuid)
    [ "$(ask osd new "$uuid" 2>>"$dir/log/wait")" = "$osd" ] || fail "OSD $osd was given another number"
    mkdir "$dir/osd/$osd"
    ceph-osd -i "$osd" --mkfs --osd-uuid "$uuid" >"$dir/log/osd.$osd.mkfs" 2>&1
    daemon "osd.$osd" ceph-osd -i "$osd" -f
done
wait_for "three OSDs" osds_up
daemon rgw.a radosgw -n client.rgw.a -f
wait_for "the gateway" gateway_answers

# 6. A user for the tests, whose key nobody knew before.
access=$(openssl rand -hex 10)
secret=$(openssl rand -hex 20)
radosgw-admin user create --uid=breakwater --display-name=Breakwater --access-key="$access" --secret="$secret" \
    >"$dir/log/user" 2>&1
cat >"$dir/credentials" <<CONF
[default]
aws_access_key_id = $access
aws_secret_access_key = $secret
CONF
rm -f "$dir/log/user"
echo "https://$address:$gateway" >"$dir/endpoint"

#pragma once

#include <dynconf/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// What etcd is asked and answers about keys: the messages of its rpc.proto, fields as there.

namespace dynconf::testing {

/// A key at one revision; shared by all who read it. A tombstone has version 0.
using record = std::shared_ptr<const key_value>;

/// One change of one key.
struct change {
    record kv;
    record before;   ///< One revision earlier; null when there was no such key.
    bool erased() const noexcept { return kv->version == 0; }
};

struct range_request {
    std::string key, range_end;
    std::int64_t limit = 0;
    revision_t revision = 0;
    std::int32_t sort_order = 0, sort_target = 0;   // numbers: the wire allows others than those that have a name
    bool serializable = false, keys_only = false, count_only = false;
    revision_t min_mod_revision = 0, max_mod_revision = 0, min_create_revision = 0, max_create_revision = 0;
};

struct range_reply {
    revision_t revision = 0;
    std::vector<record> kvs;
    bool more = false;
    std::int64_t count = 0;
    bool keys_only = false;   ///< As it was asked for: the values are not for the client.
};

struct put_request {
    std::string key, value;
    lease_id lease = 0;
    bool prev_kv = false, ignore_value = false, ignore_lease = false;
};

struct put_reply {
    revision_t revision = 0;
    record prev_kv;
};

struct delete_request {
    std::string key, range_end;
    bool prev_kv = false;
};

struct delete_reply {
    revision_t revision = 0;
    std::int64_t deleted = 0;
    std::vector<record> prev_kvs;
};

struct compare {
    enum class relation : std::int32_t { equal, greater, less, not_equal };
    enum class target : std::int32_t { version, create, mod, value, lease };

    relation result = relation::equal;
    target what = target::version;
    std::string key, range_end;
    std::int64_t number = 0;   ///< Of version, create_revision, mod_revision or lease.
    std::string value;
};

struct txn_request;
struct txn_reply;

/// monostate: an operation that names none.
using op_request = std::variant<std::monostate, range_request, put_request, delete_request, std::shared_ptr<const txn_request>>;
using op_reply = std::variant<range_reply, put_reply, delete_reply, std::shared_ptr<const txn_reply>>;

struct txn_request {
    std::vector<compare> compares;
    std::vector<op_request> success, failure;
};

struct txn_reply {
    revision_t revision = 0;   ///< 0 inside another one: etcd leaves it out there.
    bool succeeded = false;
    std::vector<op_reply> responses;
};

// Their sizes as protobuf, which etcd's limits are about.
std::size_t proto_size(const put_request&);
std::size_t proto_size(const txn_request&);
std::size_t proto_size(const change&, bool with_previous);

}  // namespace dynconf::testing

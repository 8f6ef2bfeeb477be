#pragma once

#include "support/etcd_process.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::test {

/// The other side of a test: what an operator or another program does to an etcd, by raw requests of our own making.
/// Blocking; everything that etcd refuses is thrown. As `etcd_process`, not for https.
class etcd_admin {
public:
    /// The member has to live longer. A call that takes longer than `limit` is thrown.
    explicit etcd_admin(const etcd_process& etcd, std::chrono::milliseconds limit = std::chrono::seconds(10))
        : etcd_(&etcd), limit_(limit) {}

    struct item {
        std::string value;
        std::int64_t mod_revision;
        friend bool operator==(const item&, const item&) = default;
    };
    using content = std::map<std::string, item>;

    std::int64_t put(std::string_view key, std::string_view value) const;  ///< These return the revision.
    std::int64_t erase(std::string_view key) const;
    /// One transaction.
    std::int64_t put_all(const std::vector<std::pair<std::string, std::string>>& items) const { return change_all(items, {}); }
    std::int64_t change_all(const std::vector<std::pair<std::string, std::string>>& puts,
        const std::vector<std::string>& deletes) const;
    /// As many puts as etcd takes: over several connections, each with many of them on their way. `numbered` is called from
    /// several threads and gives key and value of a number below `count`.
    void flood(std::size_t count,
        const std::function<std::pair<std::string, std::string>(std::size_t)>& numbered) const;
    content read(std::string_view prefix, std::int64_t revision = 0) const;
    std::int64_t revision() const;
    /// Forgets all history before `revision`.
    void compact(std::int64_t revision) const;

    /// Users "root"/"root" and switches auth on; further calls are made as root.
    void enable_auth();
    void disable_auth();
    void add_user(std::string_view name, std::string_view password) const;
    void change_password(std::string_view name, std::string_view password) const;
    void add_role(std::string_view role) const;
    /// READ, WRITE or READWRITE on the keys with `prefix`.
    void grant(std::string_view role, std::string_view prefix, std::string_view permission) const;
    void grant_role(std::string_view user, std::string_view role) const;

    /// Any call; the answer's JSON as text.
    std::string call(std::string_view path, std::string_view json) const;

private:
    void log_in() const;

    const etcd_process* etcd_;
    std::chrono::milliseconds limit_;
    bool as_root_ = false;
    mutable std::string token_;
};

}  // namespace dynconf::test

#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace dynconf::policy {

/// Walks back through what a key was: says what to read next. While the key exists its mod_revision names the version
/// before. Where it did not exist nothing does: there it is asked for at each revision, many of them in one request.
class key_past {
public:
    static constexpr std::size_t most_at_once = 128;   // the operations that etcd allows in a transaction by default

    /// Whether the key is there at `count` revisions, from `newest` downwards; count 0: what it is at that one, 0 being the present.
    struct question {
        revision_t newest;
        std::size_t count;
    };

    /// At most so many entries (0: all), and so many revisions at which the key did not exist.
    key_past(std::size_t limit, std::size_t most_absent) noexcept : limit_(limit), absent_left_(most_absent) {}

    /// None: that is all.
    std::optional<question> next() const noexcept {
        if (done_) return std::nullopt;
        if (!absent_) return question{at_, 0};
        return question{at_, std::min({at_once_, absent_left_, static_cast<std::size_t>(at_ - oldest + 1)})};
    }

    /// What it is, read at `revision`.
    void read(revision_t revision, std::optional<key_value> found) {
        if (!found) {
            if (at_ != 0) return end(false);   // compacted meanwhile
            return look_below(revision);
        }
        const revision_t created = found->create_revision, modified = found->mod_revision;
        add(std::move(*found));
        if (modified > created) at_ = modified - 1;
        else look_below(created - 1);
    }

    /// How many revisions down it was there first; none: nowhere.
    void looked(std::optional<std::size_t> first) {
        const std::size_t passed = first.value_or(next()->count);
        at_ -= static_cast<revision_t>(passed);
        absent_left_ -= passed;
        if (first) {
            absent_ = false;
            key_value deletion;
            deletion.mod_revision = at_ + 1;
            add(std::move(deletion));
        } else if (at_ < oldest) {
            end(true);
        } else if (absent_left_ == 0) {
            end(false);
        }
    }

    /// False: the failure is the caller's.
    bool failed(const error_code& why) noexcept {
        const bool compacted = why == server_errc::compacted;
        if (const auto q = next(); q->count > 1 && (compacted || why == server_errc::too_many_ops)) {
            at_once_ = q->count / 2;
            return true;
        }
        if (!compacted || at_ == 0) return false;
        end(false);
        return true;
    }

    /// The newest first; those with the version 0 are deletions, and have no key.
    std::vector<key_value> take() { return std::move(entries_); }
    /// It reaches back to the first creation.
    bool complete() const noexcept { return complete_; }

private:
    static constexpr revision_t oldest = 2;   // of a write

    /// At `revision` it did not exist.
    void look_below(revision_t revision) noexcept {
        absent_ = true;
        at_ = revision - 1;
        if (at_ < oldest) end(true);
        else if (absent_left_ == 0) end(false);
    }
    void add(key_value entry) {
        entries_.push_back(std::move(entry));
        if (entries_.size() == limit_) end(false);
    }
    void end(bool complete) noexcept {
        if (!done_) complete_ = complete;
        done_ = true;
    }

    std::size_t limit_;
    std::size_t absent_left_;
    std::size_t at_once_ = most_at_once;
    revision_t at_ = 0;
    bool absent_ = false;   // at at_ + 1
    bool done_ = false;
    bool complete_ = false;
    std::vector<key_value> entries_;
};

}  // namespace dynconf::policy

#pragma once

#include <dynconf/types.hpp>

#include <optional>

namespace dynconf::policy {

/// Finds the first change of a key after a mod_revision it once had, by reads of its past: says at which revision to read
/// next. Possible in few steps because a mod_revision never comes back.
class first_change {
public:
    /// At `newest` the key had `mod_now`; 0: it does not exist.
    first_change(revision_t since, revision_t newest, revision_t mod_now)
        : since_(since), unchanged_(since), changed_(mod_now != 0 ? mod_now : newest) {}

    /// The store is not the one of that time, or has gone back.
    bool nonsense() const noexcept { return changed_ < since_; }
    bool none_yet() const noexcept { return changed_ == since_; }
    /// Where to read; none once at() is known.
    std::optional<revision_t> next() const noexcept {
        if (changed_ - unchanged_ <= 1) return std::nullopt;
        if (!guessed_) return changed_ - 1;   // most often there was one change
        return unchanged_ + (changed_ - unchanged_) / 2;
    }
    /// At `revision` the key had this mod_revision; 0: it did not exist.
    void read(revision_t revision, revision_t mod) noexcept {
        guessed_ = true;
        if (mod == 0) changed_ = revision;
        else if (mod == since_) unchanged_ = revision;
        else changed_ = mod;
    }
    revision_t at() const noexcept { return changed_; }

private:
    revision_t since_;
    revision_t unchanged_;
    revision_t changed_;
    bool guessed_ = false;
};

}  // namespace dynconf::policy

#pragma once

#include "testing/check.hpp"
#include "testing/evidence.hpp"
#include "testing/kv_model.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dynconf::testing {

/// Who made a revision.
struct cause {
    enum class kind : std::uint8_t { operation, lease_end, others };

    kind what = kind::others;
    std::size_t operation = 0;   ///< Of history::operations.
    lease_id lease = 0;
    friend bool operator==(const cause&, const cause&) = default;
};

/// What happened in etcd, as far as it can be explained: each revision, and who made it.
struct timeline {
    kv_model model;
    std::vector<cause> causes;        ///< Of the revisions above model.first_revision().
    std::vector<violation> broken;    ///< Of rule::linearizable; empty: everything is explained.

    revision_t last() const noexcept { return model.revision(); }
    bool reaches(revision_t r) const noexcept { return r >= model.first_revision() && r <= last(); }
    /// Of a revision that it reaches, except for the first.
    const cause& of(revision_t r) const { return causes[static_cast<std::size_t>(r - model.first_revision() - 1)]; }
};

/// Looks for an order in which etcd can have executed the calls, by the search of Wing, Gong and Lowe. Since each answer of
/// etcd holds a revision, only the revisions are open that no answered call has made: some call of unknown outcome has, or
/// the end of a lease. States that were seen before are not searched again. What observers saw helps to find out which.
timeline explain(const history& h, const check_options& options, evidence::belief observers);

}  // namespace dynconf::testing

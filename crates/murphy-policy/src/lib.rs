//! What a caller does about an unreliable network.

//! Layers that put an unreliable network in front of a real service.

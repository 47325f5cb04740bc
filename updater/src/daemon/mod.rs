//! The service: decides in one pure function, acts in one loop.

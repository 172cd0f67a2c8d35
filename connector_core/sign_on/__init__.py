"""Single sign-on by OpenID Connect: the provider asks who somebody is, and its claims say what they may do here."""

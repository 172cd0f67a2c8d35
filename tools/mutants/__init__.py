"""Tests that notice: small mistakes are put into the heart of the connector, and the tests beside it must see them."""
